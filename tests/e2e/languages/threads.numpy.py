import threading

import numpy

sums = []


def work():
    matrix = numpy.ones((100, 100))
    sums.append((matrix @ matrix).sum() / 100)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(int(sum(sums)))
