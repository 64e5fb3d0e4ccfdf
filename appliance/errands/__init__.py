"""What does the runner do on the side, because people on the page asked for it?"""
