/** An answer that is no success. */
public final class ApiException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    public final transient Answer answer;

    public ApiException(Answer answer) {
        super("The API answered " + answer.status);
        this.answer = answer;
    }
}
