"""What hidden score to expect."""
