"""Templates for kinds of pictures that the templates of ImageNet do not describe.

Each set says in several ways what its pictures are. A class name takes the place of `{}`. The sets are a
place to start from: `alworkbench prompts rank` compares their templates on a project.
"""

from __future__ import annotations

PHOTO = (
    "a photo of a {}.",
    "a photo of the {}.",
    "a photo of one {}.",
    "a photo of many {}.",
    "a close-up photo of a {}.",
    "a picture of a {}.",
    "an image of a {}.",
)

SATELLITE = (
    "a satellite image of {}.",
    "a satellite photo of {}.",
    "an aerial photo of {}.",
    "an aerial view of {}.",
    "{} seen from above.",
    "an overhead image of an area with {}.",
    "a remote sensing image of {}.",
    "a satellite image of land used as {}.",
)

DOCUMENTS = (
    "a scan of a {}.",
    "a scanned page of a {}.",
    "a photo of a {} on paper.",
    "a document: {}.",
    "a page that contains a {}.",
    "a black and white scan of a {}.",
    "a photocopy of a {}.",
    "a screenshot of a {}.",
)

MEDICAL = (
    "a medical image of {}.",
    "a medical image that shows {}.",
    "a medical scan with signs of {}.",
    "a microscope image of {}.",
    "a stained tissue section with {}.",
    "an X-ray image that shows {}.",
    "a clinical photo of {}.",
    "an image of a patient with {}.",
)

TEXTURE = (
    "a photo of a {} texture.",
    "a photo of a {} pattern.",
    "a photo of a {} surface.",
    "a close-up of a {} texture.",
    "a {} material.",
    "something {}.",
    "a photo of a {} thing.",
)

PRODUCT = (
    "a product photo of a {}.",
    "a photo of a {} on a white background.",
    "a studio photo of a {}.",
    "a catalogue picture of a {}.",
    "a {} for sale.",
    "a photo of a new {}.",
    "a photo of a used {}.",
    "the front of a {}.",
)

CLOTHING = (
    "a photo of a {}, a type of clothing.",
    "a picture of a {}, something to wear.",
    "a {} on a plain background.",
    "a catalogue picture of a {}, a piece of clothing.",
    "a photo of a person who wears a {}.",
    "a grayscale picture of a {}.",
)

NATURE = (
    "a photo of a {}, a type of animal.",
    "a photo of a {}, a type of plant.",
    "a photo of a {} in the wild.",
    "a close-up photo of a {} in nature.",
    "a picture of a {} taken by a trail camera.",
    "a photo of the species {}.",
)

FOOD = (
    "a photo of {}, a type of food.",
    "a photo of {} on a plate.",
    "a photo of a dish of {}.",
    "a close-up photo of {}, ready to eat.",
    "a picture of {} from a menu.",
)

SCENE = (
    "a photo of a {}.",
    "a photo taken in a {}.",
    "a photo of the inside of a {}.",
    "a view of a {}.",
    "a scene of a {}.",
    "a wide photo of a {}.",
)

INSPECTION = (
    "a photo of a part with {}.",
    "a close-up photo of {} on a surface.",
    "an inspection image that shows {}.",
    "a photo of a product with {}.",
    "a photo of damage: {}.",
    "a photo of a machine part in the state {}.",
)

DRAWING = (
    "a drawing of a {}.",
    "a sketch of a {}.",
    "a line drawing of a {}.",
    "a cartoon of a {}.",
    "a painting of a {}.",
    "a symbol of a {}.",
)
