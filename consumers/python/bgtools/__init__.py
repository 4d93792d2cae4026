"""Tools beside the example application: a producer with topic creation, and the audit of the ledger."""
