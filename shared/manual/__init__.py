"""What the Function app answers, as values: a call in, an answer and perhaps a queue message out; a report judged.

`call` has both values, `asking` decides on a run that is asked for, `telling` on what is known of runs, `message` is
the run on its way through the queue.
"""
