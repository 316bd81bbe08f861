import numpy

assert numpy.dot(numpy.ones(3), numpy.ones(3)) == 3
print("hello")
