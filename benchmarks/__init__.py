"""What the documentation says about speed, measured."""
