"""The stages of an image build, one module each. `bootos.image.build` calls them in order."""
