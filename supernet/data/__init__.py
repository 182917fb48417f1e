"""Audio data: reading, labelled clips, the data sets, augmentation."""
