package upstream

import (
	"errors"
	"fmt"

	"github.com/faregate/faregate/auth/preferences"
)

// ErrDataPolicy says that no provider of the model promises what is required.
var ErrDataPolicy = errors.New("no provider of the model has the required data policy")

// DataPolicyError is ErrDataPolicy with what is required.
type DataPolicyError struct{ Required preferences.DataPolicy }

func (e *DataPolicyError) Error() string {
	return fmt.Sprintf("no provider of the model has the data policy %s, which is required: call another model, or ask for less", e.Required)
}

// Unwrap returns ErrDataPolicy.
func (e *DataPolicyError) Unwrap() error { return ErrDataPolicy }
