"""What readers' browsers meet: tracked links and images, hosted images, the web version."""
