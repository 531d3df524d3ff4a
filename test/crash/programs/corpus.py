"""Ways to crash in Python. A line that is on a stack says at its end which function it belongs to."""
import asyncio
import ctypes
import os
import sys
import threading


class Cart:
    def __init__(self, prices):
        self.prices = prices

    def total(self):
        return sum(map(lambda price: self.price(price), self.prices))  # Cart.total Cart.total.<locals>.<lambda>

    def price(self, price):
        if price == 3:
            return ctypes.string_at(0)  # Cart.price
        return price


def items():
    yield Cart([1, 2, 3]).total()  # items


def checkout():
    for each in items():  # checkout
        return each


def string():
    checkout()  # string


def thread():
    worker = threading.Thread(target=checkout)
    worker.start()
    worker.join()


def aborts():
    os.abort()  # aborts


class Bomb:
    def __init__(self, armed):
        if armed:
            ctypes.string_at(0)  # Bomb.__init__


def build(armed):
    return Bomb(armed)  # build


def init():
    for _ in range(100):  # until the call is specialized
        build(False)
    build(True)  # init


def compare(a, b):
    ctypes.string_at(0)  # compare
    return 0


def callback():
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    numbers = (ctypes.c_int * 4)(4, 3, 2, 1)
    ctypes.CDLL(None).qsort(numbers, ctypes.c_size_t(4), ctypes.c_size_t(4), kind(compare))  # callback


def größe():
    ctypes.string_at(0)  # größe


def 名前():
    größe()  # 名前


def 𐌰𐌱():
    名前()  # 𐌰𐌱


def letters():
    𐌰𐌱()  # letters


def ping(depth):
    if depth == 0:
        ctypes.string_at(0)
    pong(depth - 1)  # ping


def pong(depth):
    ping(depth)  # pong


def deep():
    ping(400)


async def inner():
    await asyncio.sleep(0)
    ctypes.string_at(0)  # inner


async def outer():
    await inner()  # outer


def coroutine():
    asyncio.run(outer())  # coroutine


def long_line():
    if sys.argv:
        pass





    return (ctypes.  # long_line

            string_at(0))


def main():
    globals()[sys.argv[1]]()  # main


main()  # <module>
