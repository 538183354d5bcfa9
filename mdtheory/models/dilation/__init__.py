"""The memorization-dilation problem on a given configuration: its problem, its solvers and its bounds."""
