"""Class means, classifier, noisy features and dilation optimal together."""
