"""What does a camera see of the robot, live on the page and kept with each job?

Optional. A child of the runner reads an MJPEG stream and passes its pictures on as they come, never encoded anew.
"""
