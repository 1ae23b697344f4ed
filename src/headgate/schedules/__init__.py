"""Schedules: messages at times that cron expressions name, by an agent of Headgate's own."""
