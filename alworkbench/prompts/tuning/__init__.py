"""Test-time prompt tuning: a context for each image, tuned on views of the image without labels.

`predictor.py` tunes for many images. `tuner.py` has the mathematics of one image, `objectives.py` what is
minimised, `class_prompts.py` and `packed_text.py` the text tower, `views.py` the views. `answer_file.py`
keeps the answers of a batch.
"""
