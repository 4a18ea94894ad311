"""Recipes on public files of which no piece is kept beside the project: their own tests draw the published layout."""

NOT_AT_HAND = {"cnn/resnet_imagenette"}
