package io.github.kdtf.books.engine;

import java.text.Normalizer;
import java.util.Locale;

/** Texts reduced to what people mean by them: no case, no accents, no punctuation. */
public final class PlainText {
    /** Characters of a title or a name that are compared. */
    private static final int MAX_LENGTH = 500;

    private PlainText() {}

    /** Whether a title or name matches nothing: normalizing could take the square of its length. */
    public static boolean isLong(String text) {
        return text.codePointCount(0, text.length()) > MAX_LENGTH;
    }

    /**
     * Unicode NFKD without marks, in lower case, every run of characters that are neither letters
     * nor decimal digits as one space, trimmed: "Café  Zoë!" is "cafe zoe".
     */
    public static String of(String text) {
        String spread = Normalizer.normalize(text, Normalizer.Form.NFKD);
        StringBuilder plain = new StringBuilder(spread.length());
        boolean gap = false;
        for (int i = 0; i < spread.length(); ) {
            int character = spread.codePointAt(i);
            i += Character.charCount(character);
            switch (Character.getType(character)) {
                case Character.NON_SPACING_MARK:
                case Character.ENCLOSING_MARK:
                case Character.COMBINING_SPACING_MARK:
                    break;
                case Character.UPPERCASE_LETTER:
                case Character.LOWERCASE_LETTER:
                case Character.TITLECASE_LETTER:
                case Character.MODIFIER_LETTER:
                case Character.OTHER_LETTER:
                case Character.DECIMAL_DIGIT_NUMBER:
                    if (gap && plain.length() > 0) {
                        plain.append(' ');
                    }
                    gap = false;
                    plain.appendCodePoint(character);
                    break;
                default:
                    gap = true;
            }
        }
        return plain.toString().toLowerCase(Locale.ROOT);
    }

    /**
     * Plain text as full-text search must see it: where a script puts no spaces between words,
     * every character is a word of its own.
     */
    static String spaced(String plain) {
        StringBuilder spaced = new StringBuilder(plain.length());
        for (int i = 0; i < plain.length(); ) {
            int character = plain.codePointAt(i);
            i += Character.charCount(character);
            boolean alone = isWithoutSpaces(character);
            int length = spaced.length();
            if (alone && length > 0 && spaced.charAt(length - 1) != ' ') {
                spaced.append(' ');
            }
            spaced.appendCodePoint(character);
            if (alone && i < plain.length() && plain.charAt(i) != ' ') {
                spaced.append(' ');
            }
        }
        return spaced.toString();
    }

    private static boolean isWithoutSpaces(int character) {
        if (character < 0x0E00) { // all scripts before Thai put spaces; most text stops here
            return false;
        }
        switch (Character.UnicodeScript.of(character)) {
            case HAN:
            case HIRAGANA:
            case KATAKANA:
            case BOPOMOFO:
            case THAI:
            case LAO:
            case KHMER:
            case MYANMAR:
                return true;
            default:
                return false;
        }
    }
}
