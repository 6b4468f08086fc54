"""The pages: the preview for the editor. Each is a Flask blueprint over functions of the pipeline."""
