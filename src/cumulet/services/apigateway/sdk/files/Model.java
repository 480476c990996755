import java.util.Map;

/** A body of the API: its members by name. */
public interface Model {
    Map<String, Object> toMap();
}
