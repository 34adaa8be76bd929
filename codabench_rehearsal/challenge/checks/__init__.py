"""What the site would refuse in a bundle, and what participants will run into."""
