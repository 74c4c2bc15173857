package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/faregate/faregate/auth"
)

// errAddressNotAllowed says that a key is not for the client's address.
var errAddressNotAllowed = errors.New("the key may not be used from this address")

// lockedOutError says for how long no key is looked up for the client's address.
type lockedOutError struct{ wait time.Duration }

func (*lockedOutError) Error() string { return "too many wrong keys from this address" }

// clientAddress is the client's address as Caddy has it: behind trusted proxies the one
// that they tell. It is not valid for a client on a Unix socket, which nothing counts.
// It must not be kept: limits and lock-outs know it in memory, and nobody else.
func clientAddress(r *http.Request) netip.Addr {
	text, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return address
}

// identify verifies a key, unless too many wrong ones came from the address. The answer
// to a wrong key is the same whether it never was one or was revoked: while the address
// is locked neither is told more than that.
func (h *Authenticate) identify(ctx context.Context, secret string, address netip.Addr) (*auth.Principal, error) {
	rt := h.app.runtime
	if h.app.Lockout == lockoutOff {
		return rt.verifier.Verify(ctx, secret)
	}
	if wait := rt.lockout.Check(address, secret); wait > 0 {
		return nil, &lockedOutError{wait}
	}
	principal, err := rt.verifier.Verify(ctx, secret)
	switch {
	case err == nil:
		rt.lockout.Succeed(address, secret)
	case errors.Is(err, auth.ErrMalformedKey), errors.Is(err, auth.ErrUnknownKey), errors.Is(err, auth.ErrExpiredKey):
		if wait := rt.lockout.Fail(address, secret); wait > 0 {
			return nil, &lockedOutError{wait}
		}
	}
	return principal, err
}
