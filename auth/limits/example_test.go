package limits_test

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/faregate/faregate/auth/limits"
)

// One request from its key to its settlement, and one that comes too soon.
func Example() {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	limiter := limits.New(limits.Options{Now: func() time.Time { return now }})
	group := limits.Rates{RequestsPerMinute: 60, TokensPerMinute: 10_000, Concurrency: 4}
	caller := limits.Caller{
		Key: "key-1", KeyRates: limits.Rates{TokensPerMinute: 6000}.Over(group),
		Account: "account-1", AccountRates: group,
		Address: netip.MustParseAddr("2001:db8::1"), AddressRates: limits.Rates{RequestsPerMinute: 600},
	}

	admission, err := limiter.Admit(caller)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer admission.Release()
	if err := admission.Reserve(5000); err != nil { // what it may use at most
		fmt.Println(err)
		return
	}
	state := admission.State()
	fmt.Println(state.Requests.Remaining, "requests and", state.Tokens.Remaining, "tokens remain for this", state.Tokens.Scope)

	second, err := limiter.Admit(caller)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer second.Release()
	var refused *limits.RefusedError
	if err := second.Reserve(5000); errors.As(err, &refused) {
		fmt.Println(refused, refused.Kind, refused.Remaining)
	}

	admission.Correct(800) // what it really used
	fmt.Println(second.State().Tokens.Remaining, "tokens remain")
	fmt.Println(second.Reserve(5000))
	// Output:
	// 59 requests and 1000 tokens remain for this key
	// this key is limited to 6000 tokens per minute: try again in 1s tokens 1000
	// 5200 tokens remain
	// <nil>
}

func ExampleLockout() {
	lockout := limits.NewLockout(limits.LockoutOptions{Failures: 3, First: time.Hour, Longest: 24 * time.Hour})
	address := netip.MustParseAddr("203.0.113.7")
	lockout.Succeed(address, "a good key")
	for lockout.Check(address, "a guess") == 0 {
		lockout.Fail(address, "a guess")
	}
	fmt.Println(lockout.Check(address, "another key").Round(time.Minute), lockout.Check(address, "a good key"))
	// Output: 1h0m0s 0s
}

func ExampleParseAddressList() {
	list, err := limits.ParseAddressList("203.0.113.0/24, 2001:db8::/32, 203.0.113.7")
	fmt.Println(list, err)
	fmt.Println(list.Allows(netip.MustParseAddr("::ffff:203.0.113.9")), list.Allows(netip.MustParseAddr("198.51.100.1")))
	_, err = limits.ParseAddressList("203.0.113.7/24")
	fmt.Println(err)
	// Output:
	// 203.0.113.0/24,2001:db8::/32 <nil>
	// true false
	// not a usable address list: "203.0.113.7/24": the address goes beyond the network; write 203.0.113.0/24 for the network or 203.0.113.7 for the address
}
