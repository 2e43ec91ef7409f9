package train

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// assign puts a value, as TOML has it, into a field of the configuration. After an
// error the field is as it was.
func assign(field reflect.Value, value any) error {
	wrong := fmt.Errorf("expected %s, found %s", expected(field.Type()), describe(value))
	switch field.Kind() {
	case reflect.Pointer: // of a stage: that it is there says that it was given
		given := reflect.New(field.Type().Elem())
		if err := assign(given.Elem(), value); err != nil {
			return err
		}
		field.Set(given)
	case reflect.Bool:
		v, ok := value.(bool)
		if !ok {
			return wrong
		}
		field.SetBool(v)
	case reflect.String:
		v, ok := value.(string)
		if !ok {
			return wrong
		}
		field.SetString(v)
	case reflect.Int:
		v, ok := value.(int64)
		if !ok {
			return wrong
		}
		if field.OverflowInt(v) {
			return fmt.Errorf("%d is too large", v)
		}
		field.SetInt(v)
	case reflect.Uint64:
		v, ok := value.(int64)
		if !ok || v < 0 {
			return wrong
		}
		field.SetUint(uint64(v))
	case reflect.Float64:
		switch v := value.(type) {
		case int64:
			field.SetFloat(float64(v))
		case float64:
			field.SetFloat(v)
		default:
			return wrong
		}
	case reflect.Slice, reflect.Array:
		list, ok := value.([]any)
		if !ok || field.Kind() == reflect.Array && len(list) != field.Len() {
			return wrong
		}
		return assignList(field, list)
	case reflect.Map:
		table, ok := value.(map[string]any)
		if !ok {
			return wrong
		}
		return assignTable(field, table)
	default:
		return fmt.Errorf("a key of type %s cannot be given", field.Type())
	}
	return nil
}

// assignList fills a slice or an array. An empty list is nil, as it is when nobody
// has given it.
func assignList(field reflect.Value, list []any) error {
	elements := reflect.New(field.Type()).Elem()
	if field.Kind() == reflect.Slice && len(list) > 0 {
		elements.Set(reflect.MakeSlice(field.Type(), len(list), len(list)))
	}
	for i, v := range list {
		if err := assign(elements.Index(i), v); err != nil {
			return fmt.Errorf("element %d: %w", i+1, err)
		}
	}
	field.Set(elements)
	return nil
}

// fromText reads the value of a field from the environment or the command line,
// where TOML's quotes and brackets would be a burden: text is a string as it
// stands and lists have commas. What is written as a TOML list or a quoted string
// all the same is read as one.
func fromText(field reflect.Type, text string) (any, error) {
	wrong := fmt.Errorf("expected %s, found %s", expected(field), describe(text))
	switch field.Kind() {
	case reflect.Bool:
		switch text {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, wrong
	case reflect.String:
		if len(text) >= 2 && (text[0] == '"' || text[0] == '\'') && text[len(text)-1] == text[0] {
			return fromTOML(text)
		}
		return text, nil
	case reflect.Int, reflect.Uint64:
		v, err := strconv.ParseInt(text, 10, 64)
		if errors.Is(err, strconv.ErrRange) {
			return nil, fmt.Errorf("%s is out of range: at most %d", text, int64(math.MaxInt64))
		}
		if err != nil {
			return nil, wrong
		}
		return v, nil
	case reflect.Float64:
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, wrong
		}
		return v, nil
	case reflect.Slice, reflect.Array:
		if strings.HasPrefix(text, "[") {
			return fromTOML(text)
		}
		list := []any{}
		if text == "" {
			return list, nil
		}
		for i, part := range strings.Split(text, ",") {
			v, err := fromText(field.Elem(), strings.TrimSpace(part))
			if err != nil {
				return nil, fmt.Errorf("element %d: %w", i+1, err)
			}
			list = append(list, v)
		}
		return list, nil
	case reflect.Map:
		if strings.HasPrefix(text, "{") {
			return fromTOML(text)
		}
		return tableFromText(field, text)
	}
	return nil, fmt.Errorf("a key of type %s cannot be given", field)
}

// fromTOML reads one value that is written in TOML.
func fromTOML(text string) (any, error) {
	document := map[string]any{}
	if err := toml.Unmarshal([]byte("value = "+text), &document); err != nil {
		return nil, fmt.Errorf("%s: %s", text, strings.TrimPrefix(err.Error(), "toml: "))
	}
	if len(document) != 1 {
		return nil, fmt.Errorf("%q holds more than one value", text)
	}
	return document["value"], nil
}

// expected says what a key of this type takes.
func expected(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Int:
		return "an integer"
	case reflect.Uint64:
		return "an integer that is not negative"
	case reflect.Float64:
		return "a number"
	case reflect.Array:
		return fmt.Sprintf("a list of %d numbers", t.Len())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return "a list of strings"
		}
		return "a list of numbers"
	case reflect.Map:
		return "a table of numbers"
	}
	return t.String()
}

// describe says what was found instead.
func describe(value any) string {
	switch v := value.(type) {
	case string:
		if len(v) > 60 {
			v = v[:60] + "..."
		}
		return strconv.Quote(v)
	case int64, float64, bool:
		return fmt.Sprint(v)
	case []any:
		return fmt.Sprintf("a list of %d", len(v))
	case map[string]any:
		return "a table"
	}
	return "a date or a time"
}
