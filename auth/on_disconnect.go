package auth

import (
	"errors"
	"fmt"
)

// OnDisconnect says what becomes of a provider's answer whose client has left before its
// end. The empty one leaves that to the gateway.
type OnDisconnect string

// What can become of it.
const (
	OnDisconnectDefault OnDisconnect = ""
	OnDisconnectCancel  OnDisconnect = "cancel" // it is ended at once
	OnDisconnectDrain   OnDisconnect = "drain"  // it is read to its end, within bounds
)

// ErrOnDisconnect says that a word is no OnDisconnect.
var ErrOnDisconnect = errors.New("use cancel, drain or default")

// ParseOnDisconnect reads what people write: cancel, drain or default. Else it is
// ErrOnDisconnect.
func ParseOnDisconnect(text string) (OnDisconnect, error) {
	switch text {
	case "default":
		return OnDisconnectDefault, nil
	case string(OnDisconnectCancel), string(OnDisconnectDrain):
		return OnDisconnect(text), nil
	}
	return OnDisconnectDefault, fmt.Errorf("%q: %w", text, ErrOnDisconnect)
}

// Validate is ErrOnDisconnect for a value that is none of the three.
func (o OnDisconnect) Validate() error {
	switch o {
	case OnDisconnectDefault, OnDisconnectCancel, OnDisconnectDrain:
		return nil
	}
	return fmt.Errorf("%q: %w", string(o), ErrOnDisconnect)
}
