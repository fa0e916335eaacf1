import collections, tests.metering.oracle as o
C = collections.Counter()
for n in ("start","finish","rate","patch"):
    f = getattr(o.Oracle, n)
    def w(self, *a, _f=f, _n=n, **k):
        r = _f(self, *a, **k); C[_n, r] += 1; return r
    setattr(o.Oracle, n, w)
import tests.metering.test_machine as tm
tm.EXAMPLES, tm.LENGTH = 250, 60
from tests.metering.test_machine import *
def test_zcount():
    print(sorted(C.items()))
