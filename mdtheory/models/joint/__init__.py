"""The limited-expressivity features model: class means, classifier, noisy features and dilation optimal together."""
