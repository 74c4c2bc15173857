package dialect

import (
	"mime"
	"net/http"
	"strings"
)

// CheckContent judges what a request says of its body, before the body is read. Errors
// are *Error.
//
// JSON is taken for JSON whatever simple clients call it: curl says that it is a form.
// What could be read in another way than ours is refused: other character sets, and
// compressed bodies, as what they hold is not known before it is there.
func (o Operation) CheckContent(header http.Header) error {
	for _, value := range header["Content-Encoding"] {
		if !strings.EqualFold(strings.TrimSpace(value), "identity") {
			return NewError(CodeContentEncoding)
		}
	}
	values := header["Content-Type"]
	switch len(values) {
	case 0:
		if o.IsForm() {
			return notForm()
		}
		return nil
	case 1:
	default:
		return NewError(CodeContentType).WithMessage("The request has several Content-Type fields. Send one.")
	}
	kind, parameters, err := ParseMediaType(values[0])
	if o.IsForm() {
		if err != nil || kind != "multipart/form-data" {
			return notForm()
		}
		return nil // its boundary is read with the body
	}
	switch charset := strings.ToLower(parameters["charset"]); {
	case err != nil:
		return NewError(CodeContentType)
	case charset != "" && charset != "utf-8" && charset != "utf8" && charset != "us-ascii":
		return NewError(CodeContentType).WithMessage("The request body is in a character set other than UTF-8. Encode it as UTF-8.")
	}
	switch kind {
	case "application/json", "text/json", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream":
		return nil
	}
	if strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json") {
		return nil
	}
	return NewError(CodeContentType)
}

// ParseMediaType is mime.ParseMediaType, which makes a map for each text that it reads;
// those that most messages have are known. Nobody may change the parameters.
func ParseMediaType(text string) (kind string, parameters map[string]string, err error) {
	switch text {
	case jsonType, eventType:
		return text, nil, nil
	case jsonType + "; charset=utf-8":
		return jsonType, charsetUTF8, nil
	case eventType + "; charset=utf-8":
		return eventType, charsetUTF8, nil
	}
	return mime.ParseMediaType(text)
}

const (
	jsonType  = "application/json"
	eventType = "text/event-stream"
)

var charsetUTF8 = map[string]string{"charset": "utf-8"}

func notForm() *Error {
	return NewError(CodeContentType).WithMessage("This operation takes a form with a file. Send multipart/form-data, as your SDK does.")
}
