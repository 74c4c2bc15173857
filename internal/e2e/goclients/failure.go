package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/openai/openai-go/v3"
	"google.golang.org/genai"
)

// explain reads an error as the documentation of each SDK says to.
func explain(err error) *failure {
	f := &failure{Class: fmt.Sprintf("%T", err), Message: err.Error()}
	var ofOpenAI *openai.Error
	var ofAnthropic *anthropic.Error
	var ofGoogle genai.APIError
	switch {
	case errors.As(err, &ofOpenAI):
		f.Class, f.Status, f.Code, f.Type, f.Message = "openai.Error", ofOpenAI.StatusCode, ofOpenAI.Code, ofOpenAI.Type, ofOpenAI.Message
	case errors.As(err, &ofAnthropic):
		f.Class, f.Status, f.Type, f.RequestID = "anthropic.Error", ofAnthropic.StatusCode, string(ofAnthropic.Type()), ofAnthropic.RequestID
		var body struct{ Error struct{ Message string } }
		if json.Unmarshal([]byte(ofAnthropic.RawJSON()), &body) == nil {
			f.Message = body.Error.Message
		}
	case errors.As(err, &ofGoogle):
		f.Class, f.Status, f.Type, f.Message = "genai.APIError", ofGoogle.Code, ofGoogle.Status, ofGoogle.Message
	}
	return f
}
