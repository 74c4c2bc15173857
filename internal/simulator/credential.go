package simulator

import (
	"net/http"
	"strings"
)

// refuse checks the credential where the dialect has it. More than one is
// refused too: a gateway must set exactly one.
func (s *Simulator) refuse(c *call) *problem {
	if s.key == "" {
		return nil
	}
	var given []string
	add := func(value string) {
		if value != "" {
			given = append(given, value)
		}
	}
	bearer, isBearer := strings.CutPrefix(c.header.Get("Authorization"), "Bearer ")
	switch c.dialect {
	case Anthropic:
		add(c.header.Get("X-Api-Key"))
	case Google:
		add(c.header.Get("X-Goog-Api-Key"))
		add(c.query.Get("key"))
	}
	if isBearer && c.dialect != Google {
		add(bearer)
	}
	if len(given) != 1 || given[0] != s.key {
		return refusal(http.StatusUnauthorized, "the provider's key is missing, wrong, or given twice")
	}
	return nil
}
