import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** JSON as maps, lists, texts, numbers and truth values. */
public final class Json {
    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** The value that a text is; raises IllegalArgumentException. */
    public static Object read(String text) {
        Json json = new Json(text);
        Object value = json.value(0);
        json.blanks();
        if (json.at < text.length()) throw json.wrong();
        return value;
    }

    /** A value as a text. */
    public static String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out);
        return out.toString();
    }

    private static void write(Object value, StringBuilder out) {
        if (value == null || value instanceof Number || value instanceof Boolean) {
            out.append(value);
        } else if (value instanceof Map) {
            String between = "{";
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                out.append(between);
                quote(String.valueOf(entry.getKey()), out);
                out.append(':');
                write(entry.getValue(), out);
                between = ",";
            }
            out.append(between.equals("{") ? "{}" : "}");
        } else if (value instanceof Iterable) {
            String between = "[";
            for (Object each : (Iterable<?>) value) {
                out.append(between);
                write(each, out);
                between = ",";
            }
            out.append(between.equals("[") ? "[]" : "]");
        } else if (value instanceof Model) {
            write(((Model) value).toMap(), out);
        } else {
            quote(String.valueOf(value), out);
        }
    }

    private static void quote(String text, StringBuilder out) {
        out.append('"');
        for (char sign : text.toCharArray()) {
            if (sign == '"' || sign == '\\') out.append('\\').append(sign);
            else if (sign < ' ') out.append(String.format("\\u%04x", (int) sign));
            else out.append(sign);
        }
        out.append('"');
    }

    private IllegalArgumentException wrong() {
        return new IllegalArgumentException("This is no JSON, at position " + at);
    }

    private void blanks() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
    }

    private boolean take(String token) {
        blanks();
        if (!text.startsWith(token, at)) return false;
        at += token.length();
        return true;
    }

    private Object value(int depth) {
        if (depth > 500) throw wrong();
        if (take("{")) return object(depth);
        if (take("[")) return array(depth);
        if (take("\"")) return string();
        if (take("true")) return Boolean.TRUE;
        if (take("false")) return Boolean.FALSE;
        if (take("null")) return null;
        int start = at;
        while (at < text.length() && "+-.0123456789eE".indexOf(text.charAt(at)) >= 0) at++;
        if (start == at) throw wrong();
        String number = text.substring(start, at);
        if (number.matches("-?\\d{1,18}")) return Long.valueOf(number);
        return Double.valueOf(number);
    }

    private Map<String, Object> object(int depth) {
        Map<String, Object> found = new LinkedHashMap<>();
        while (!take("}")) {
            if (!found.isEmpty() && !take(",")) throw wrong();
            if (!take("\"")) throw wrong();
            String name = string();
            if (!take(":")) throw wrong();
            found.put(name, value(depth + 1));
        }
        return found;
    }

    private List<Object> array(int depth) {
        List<Object> found = new ArrayList<>();
        while (!take("]")) {
            if (!found.isEmpty() && !take(",")) throw wrong();
            found.add(value(depth + 1));
        }
        return found;
    }

    private String string() {
        StringBuilder out = new StringBuilder();
        while (at < text.length()) {
            char sign = text.charAt(at++);
            if (sign == '"') return out.toString();
            if (sign != '\\') {
                out.append(sign);
                continue;
            }
            if (at >= text.length()) throw wrong();
            char escaped = text.charAt(at++);
            int place = "bfnrt".indexOf(escaped);
            if (escaped == 'u') {
                if (at + 4 > text.length()) throw wrong();
                out.append((char) Integer.parseInt(text.substring(at, at + 4), 16));
                at += 4;
            } else {
                out.append(place >= 0 ? "\b\f\n\r\t".charAt(place) : escaped);
            }
        }
        throw wrong();
    }
}
