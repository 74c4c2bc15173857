package upstream

import (
	"math"
	"testing"
	"time"
)

// second is a time of the tests' clock.
func second(s float64) int64 { return int64(1e18) + int64(s*1e9) }

// trip fails as often as it takes for a cool-down.
func trip(c *circuit, at int64, result Result, asked time.Duration) (until int64) {
	for range 10 {
		if until, ok := c.fail(at, at, result, asked, 0); ok {
			return until
		}
	}
	panic("no cool-down after ten failures")
}

func TestHowManyFailuresBeginACoolDown(t *testing.T) {
	for result, want := range map[Result]int{
		Refused: 1, NoCredit: 1, LowCredit: 1, RateLimited: 1, TimedOut: 1, Unreachable: 1, Failed: 3, Overloaded: 3, Forbidden: 3, ModelMissing: 3,
	} {
		var c circuit
		failures := 0
		for ok := false; !ok && failures < 10; failures++ {
			_, ok = c.fail(second(1), second(1), result, 0, 0)
		}
		if failures != want {
			t.Errorf("%v: %d failures, want %d", result, failures, want)
		}
	}
	// An answer between breaks the row; what the provider asks for needs none.
	var c circuit
	for range 10 {
		c.fail(second(1), second(1), Failed, 0, 0)
		c.fail(second(1), second(1), Failed, 0, 0)
		c.succeed(second(1), second(1))
	}
	if standing, _ := c.at(second(1)); standing != open {
		t.Error("single failures between answers began a cool-down")
	}
	if until, ok := c.fail(second(1), second(1), Overloaded, 20*time.Second, 0); !ok || until != second(21) {
		t.Errorf("asked for 20 s: %v", time.Duration(until-second(1)))
	}
}

func TestCoolDownsGrowAndSpread(t *testing.T) {
	var c circuit
	at := second(0)
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		until := trip(&c, at, Failed, 0)
		if got := time.Duration(until - at); got != want*time.Second {
			t.Errorf("cool-down %d takes %v", i, got)
		}
		at = until + 1
	}
	// Our guesses are spread; what a provider asks for is kept to the letter.
	for asked, want := range map[time.Duration]float64{0: 1.25, 40 * time.Second: 40} {
		var d circuit
		until, _ := d.fail(second(0), second(0), RateLimited, asked, math.MaxUint64)
		if difference := until - second(want); difference < -int64(time.Millisecond) || difference > int64(time.Millisecond) {
			t.Errorf("asked for %v: left alone for %v", asked, time.Duration(until-second(0)))
		}
	}
	for result, row := range map[Result]struct{ asked, want time.Duration }{
		RateLimited: {100 * time.Hour, time.Hour}, Overloaded: {time.Hour, time.Minute}, Refused: {100 * time.Hour, time.Minute}, Failed: {time.Millisecond, time.Second},
	} {
		var c circuit
		if until := trip(&c, second(0), result, row.asked); until != second(row.want.Seconds()) {
			t.Errorf("%v that asks for %v: %v", result, row.asked, time.Duration(until-second(0)))
		}
	}
}

func TestFailuresTogetherAreOne(t *testing.T) {
	var c circuit
	until := trip(&c, second(10), Failed, 0)
	for i := range 100 { // began before, ended later
		if _, ok := c.fail(second(10+float64(i)/10), second(9), Failed, 0, 0); ok {
			t.Fatal("a failure of what began before began another cool-down")
		}
	}
	if got := c.until.Load(); got != until || c.coolDowns.Load() != 1 {
		t.Errorf("until %v after %d cool-downs", time.Duration(got-until), c.coolDowns.Load())
	}
	// But the provider's word counts whenever it comes.
	c.fail(second(10.5), second(9), RateLimited, time.Minute, 0)
	if got := c.until.Load(); got != second(70.5) {
		t.Errorf("until %v", time.Duration(got-second(0)))
	}
	// An answer to what began before says nothing of now.
	if c.succeed(second(11), second(9)) {
		t.Error("an old answer ended a cool-down")
	}
}

func TestOneProbeAtATime(t *testing.T) {
	var c circuit
	until := trip(&c, second(0), TimedOut, 0)
	if standing, _ := c.at(until - 1); standing != cooling {
		t.Error("open within the cool-down")
	}
	if standing, _ := c.at(until); standing != probing {
		t.Error("no probe after the cool-down")
	}
	token, ok := c.startProbe(until)
	if !ok {
		t.Fatal("no probe")
	}
	if _, ok := c.startProbe(until + 1); ok {
		t.Error("a second probe beside the first")
	}
	if standing, _ := c.at(until + 1); standing != cooling {
		t.Error("others pass while a probe runs")
	}
	c.giveUpProbe(token)
	if _, ok = c.startProbe(until + 2); !ok {
		t.Error("no probe after one that was given up")
	}
	c.giveUpProbe(token) // too late: it is another's
	if _, ok := c.startProbe(until + 3); ok {
		t.Error("an old token gave another's probe up")
	}
	if _, ok := c.startProbe(until + 2 + int64(probePatience)); !ok {
		t.Error("a probe that never ends keeps all others out")
	}
}

func TestTheShareGrowsAfterACoolDown(t *testing.T) {
	var c circuit
	until := trip(&c, second(0), RateLimited, 20*time.Second)
	if !c.succeed(until+1, until) {
		t.Fatal("the probe's answer did not end the cool-down")
	}
	if _, share := c.at(until - 1e9); share != leastShare { // the clock was set back
		t.Errorf("share %d before it recovered", share)
	}
	before := uint32(0)
	for i := range 20 {
		standing, share := c.at(until + 1 + int64(i)*int64(time.Second))
		if standing != open || share < before || share > uint32(max(fullShare*i/20, leastShare)) {
			t.Errorf("after %d s: %v, share %d", i, standing, share)
		}
		before = share
	}
	if _, share := c.at(until + 21e9); share != fullShare {
		t.Errorf("share %d in the end", share)
	}
	// A failure meanwhile counts at once and for longer; long after, it is a first one.
	at := until + 5e9
	if _, ok := c.fail(at, at, Failed, 0, 0); !ok || c.until.Load() != at+2e9 {
		t.Errorf("failing again: %v", time.Duration(c.until.Load()-at))
	}
	at += 2e9
	c.succeed(at, at)
	at += int64(time.Minute)
	c.succeed(at, at)
	if c.until.Load() != 0 || c.coolDowns.Load() != 0 {
		t.Errorf("not healthy again: until %d, %d cool-downs", c.until.Load(), c.coolDowns.Load())
	}
}
