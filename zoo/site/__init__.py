"""The web page of a zoo: find a model by limits, look at it, try it, take it. A static site, without a build step."""
