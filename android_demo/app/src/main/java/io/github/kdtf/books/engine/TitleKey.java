package io.github.kdtf.books.engine;

import java.text.Normalizer;

/** By what titles are compared: tests/reading_lists/README.md has the rules, its files hold them. */
public final class TitleKey {
    private static final String[] ARTICLES = {"the ", "a ", "an "};

    private TitleKey() {}

    /** Without the series in brackets at the end, accents, case, punctuation and an article. */
    public static String full(String title) {
        return key(withoutSeries(title));
    }

    /** As {@link #full}, from the first colon on cut off; null for a title without a colon. */
    public static String withoutSubtitle(String title) {
        String name = withoutSeries(title);
        int colon = name.indexOf(':');
        return colon < 0 ? null : key(name.substring(0, colon));
    }

    private static String withoutSeries(String title) {
        if (PlainText.isLong(title)) {
            return "";
        }
        String name = Normalizer.normalize(title, Normalizer.Form.NFKD).trim();
        int bracket = name.endsWith(")") ? name.lastIndexOf(" (") : -1;
        return bracket < 0 ? name : name.substring(0, bracket);
    }

    private static String key(String name) {
        String plain = PlainText.of(name);
        for (String article : ARTICLES) {
            if (plain.startsWith(article)) {
                return plain.substring(article.length());
            }
        }
        return plain;
    }
}
