import concurrent.futures
import multiprocessing
import threading

lock = threading.Lock()
total = 0


def count():
    global total
    for _ in range(5000):
        with lock:
            total += 1


def square(number):
    return number * number


if __name__ == "__main__":
    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Processes that share memory and semaphores, too.
    with concurrent.futures.ProcessPoolExecutor(4) as pool:
        assert list(pool.map(square, range(4))) == [0, 1, 4, 9]
    shared = multiprocessing.Value("i", 20000)
    print(total + shared.value)
