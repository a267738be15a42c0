kthw
marked
mesh 20 21
