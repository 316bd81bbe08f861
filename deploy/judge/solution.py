"""Reads n and n numbers; prints their sum and the largest."""

numbers = [int(word) for word in open(0).read().split()][1:]
print(sum(numbers), max(numbers))
