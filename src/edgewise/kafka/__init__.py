"""Events from Kafka into the store, and what was served and clicked back to Kafka; needs the extra `kafka`."""
