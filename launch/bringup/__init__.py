"""What is looked at beside an arm before it works: `eyehand robot check`.

`session` finds the arm and its driver, `controller` asks a UR controller who it is and what it is set to, `kinematics`
compares its figures with ours, `states` measures what comes from the arm, `mover` moves it slowly, as a run
would, `jog` moves each joint a little, `check` does all of it in order. Nothing but `jog` moves anything.
"""
