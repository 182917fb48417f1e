"""What public names of C can begin with."""

from __future__ import annotations

import re

from supernet.errors import InvalidQuery

__all__ = ["c_name"]

LONGEST = 63
"""Signs of a name that compilers tell apart."""
IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
WORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const const_cast
consteval constexpr constinit continue co_await co_return co_yield decltype default delete do double dynamic_cast else
enum explicit export extern false float for friend goto if import inline int long module mutable namespace new noexcept
not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires restrict return short
signed sizeof static static_assert static_cast struct switch template this thread_local throw true try typedef typeid
typename typeof typeof_unqual union unsigned using virtual void volatile wchar_t while xor xor_eq
"""
"""Of C and C++."""
HEADERS = """
alloca arduino arm_acle assert complex ctype endian errno features fenv float inttypes iso646 known_answers limits
locale malloc math memory newlib picolibc sched setjmp signal stdalign stdarg stdatomic stdbit stdbool stdckdint stddef
stdint stdio stdlib stdnoreturn string strings tgmath threads time uchar unistd wchar wctype
"""
"""Which a model's NAME.h would hide, since its folder is searched for headers."""

TAKEN = """
ALL_BUILD INSTALL PACKAGE RUN_TESTS ZERO_CHECK all clean edit_cache help install known list_install_components
package preinstall rebuild_cache test
"""
"""Targets of CMake, and names of the tests."""
TYPES = """
blkcnt blksize caddr cc char16 char32 char8 clock clockid cnd constraint_handler daddr dev div double errno fenv
fexcept float fpos fpos64 fpregset fsblkcnt fsfilcnt fsid gid greg gregset id imaxdiv in_addr in_port ino ino64 int16
int32 int64 int8 int_fast16 int_fast32 int_fast64 int_fast8 int_least16 int_least32 int_least64 int_least8 intmax
intptr key ldiv lldiv locale loff max_align mbstate mcontext mode mtx nlink off off64 once pid pthread pthread_attr
pthread_barrier pthread_barrierattr pthread_cond pthread_condattr pthread_key pthread_mutex pthread_mutexattr
pthread_once pthread_rwlock pthread_rwlockattr pthread_spinlock ptrdiff quad register rlim rsize sa_family sig
sig_atomic siginfo sigset sigval size socklen speed ssize stack suseconds tcflag thrd time timer tss u_char u_int16
u_int32 u_int64 u_int8 u_quad ucontext uid uint16 uint32 uint64 uint8 uint_fast16 uint_fast32 uint_fast64 uint_fast8
uint_least16 uint_least32 uint_least64 uint_least8 uintmax uintptr useconds wctrans wctype wint
"""
"""Which with _t behind them are types of C or POSIX, as `NAME_t` would be."""


def c_name(name: str, ending: str = "") -> str:
    """The same, where it can begin names of C, also with an ending. Raises InvalidQuery."""
    most = LONGEST - len(ending)
    if not isinstance(name, str) or not IDENTIFIER.fullmatch(name) or len(name) > most:
        raise InvalidQuery(
            f"name = {name!r:.80} is not possible: give an identifier of C of at most {most} signs, such as my_model"
        )
    words, headers = WORDS.split(), HEADERS.split()
    if name in words or name.lower() in headers or name in TAKEN.split() + TYPES.split():
        what = "a word of C or C++" if name in words else f"that of the header <{name.lower()}.h>"
        what = what if name in words or name.lower() in headers else "taken by C or CMake"
        raise InvalidQuery(f"name = {name!r} is not possible, it is {what}: give another, such as my_{name}")
    return name
