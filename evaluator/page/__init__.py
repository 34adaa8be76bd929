"""The report as one HTML page, drawn part by part. The door is `page.to_page`."""
