kthw
marked 201 ffffffffffffffffffffffffffffffff
mesh 20 21
