"""Salesforce: event log files, Real-Time Event Monitoring, the setup audit trail."""
