package oracle;

/** A scenario that is not in the vocabulary; an Error, so that nobody takes it for a refusal of Kafka's. */
final class Misread extends Error {
    private static final long serialVersionUID = 1L;

    Misread(final String message) {
        super(message);
    }
}
