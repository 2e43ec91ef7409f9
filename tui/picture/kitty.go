package picture

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"strconv"
	"strings"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/ansi/kitty"
)

// FirstID is where a program's counter of picture ids starts: other programs on the
// same terminal count from 1.
const FirstID uint32 = 10001

// maxCells is the number of diacritics, so of rows and columns, that are agreed on.
const maxCells = 297

// queryID is of the picture in [KittyQuery], which is never shown.
const queryID = 10000

// KittyQuery asks a terminal whether it knows Kitty's graphics protocol. The second
// question is one that every terminal answers, so that silence on the first has an
// end. Send it with tea.Raw and hand what comes to [KittyAnswer].
func KittyQuery() string {
	return ansi.KittyGraphics([]byte("AAAA"), "a=q", "i="+strconv.Itoa(queryID), "s=1", "v=1", "t=d", "f=24") +
		ansi.RequestPrimaryDeviceAttributes
}

// KittyAnswer looks at a message of Bubble Tea's Update. It is known when the
// message answers [KittyQuery], and ok when the answer is yes. The terminal's second
// answer, which says no unless a yes came before it, is known and not ok.
func KittyAnswer(msg any) (ok, known bool) {
	switch msg := msg.(type) {
	case uv.KittyGraphicsEvent:
		if msg.Options.ID != queryID {
			return false, false
		}
		return string(msg.Payload) == "OK", true
	case uv.PrimaryDeviceAttributesEvent:
		return false, true
	}
	return false, false
}

// Transmit sends a picture to the terminal and asks for it where [Placeholder] of
// the same id and size stands. It encodes PNG, which takes milliseconds: call it in
// a command, not in View. It is "" for a picture without pixels or cells.
func Transmit(id uint32, img image.Image, cols, rows int) string {
	if cols <= 0 || rows <= 0 || img.Bounds().Empty() {
		return ""
	}
	var data bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(&data, img); err != nil {
		return "" // larger than PNG can say; memory does not fail to be written to
	}
	payload := make([]byte, base64.StdEncoding.EncodedLen(data.Len()))
	base64.StdEncoding.Encode(payload, data.Bytes())

	var b strings.Builder
	options := []string{"a=T", "U=1", "f=100", "t=d", fmt.Sprintf("i=%d", id),
		fmt.Sprintf("c=%d", min(cols, maxCells)), fmt.Sprintf("r=%d", min(rows, maxCells))}
	for len(payload) > 0 {
		n := min(len(payload), kitty.MaxChunkSize)
		more := "m=0"
		if n < len(payload) {
			more = "m=1"
		}
		b.WriteString(ansi.KittyGraphics(payload[:n], append(options, "q=2", more)...))
		payload, options = payload[n:], nil
	}
	return b.String()
}

// Placeholder is the text that a terminal replaces by the picture of an id: rows
// strings of exactly cols cells. Each cell says its own row and column, so cells may
// be drawn again one by one. The id is the colour of the text, which a terminal
// without true colour does not keep. Cells beyond 297 are blank.
func Placeholder(id uint32, cols, rows int) []string {
	cols, rows = max(cols, 0), max(rows, 0)
	lines := make([]string, rows)
	for row := range lines {
		if row >= maxCells || cols == 0 {
			lines[row] = strings.Repeat(" ", cols)
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "\x1b[38;2;%d;%d;%dm", byte(id>>16), byte(id>>8), byte(id))
		for col := range min(cols, maxCells) {
			b.WriteRune(kitty.Placeholder)
			b.WriteRune(kitty.Diacritic(row))
			b.WriteRune(kitty.Diacritic(col))
			if high := int(id >> 24); high > 0 {
				b.WriteRune(kitty.Diacritic(high))
			}
		}
		b.WriteString("\x1b[39m")
		b.WriteString(strings.Repeat(" ", max(cols-maxCells, 0)))
		lines[row] = b.String()
	}
	return lines
}

// Delete frees a picture in the terminal, and takes it off the screen.
func Delete(id uint32) string {
	return ansi.KittyGraphics(nil, "a=d", "d=I", fmt.Sprintf("i=%d", id), "q=2")
}
