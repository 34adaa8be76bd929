"""Scores and predictions in and out: tables, spreadsheets, figures."""
