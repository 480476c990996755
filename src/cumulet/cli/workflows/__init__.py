"""What the commands on state machines share: which machine is meant, what a run did, and its picture."""
