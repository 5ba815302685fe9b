package io.github.kdtf.books.readinglists;

import io.github.kdtf.books.engine.Book;
import io.github.kdtf.books.engine.Catalog;
import io.github.kdtf.books.engine.PlainText;
import io.github.kdtf.books.engine.TitleKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/** Which book of the catalogue an entry of a reading list stands for. */
final class BookMatcher {
    /** Such as "(Translator)". */
    private static final Pattern ROLE = Pattern.compile("\\([^()]*\\)");

    private final Map<String, List<Book>> byIsbn;
    private final Map<String, List<Book>> byTitle;
    private final Map<String, List<Book>> byTitleWithoutSubtitle;
    private final Map<String, List<Name>> names = new HashMap<>();

    /** Looks up all that the entries may need at once: a question for each would take seconds. */
    BookMatcher(Catalog catalog, List<Entry> entries) {
        Set<String> isbns = new HashSet<>();
        Set<String> keys = new HashSet<>();
        Set<String> fullKeys = new HashSet<>();
        for (Entry entry : entries) {
            isbns.addAll(entry.isbns);
            fullKeys.add(TitleKey.full(entry.title));
            keys.add(TitleKey.withoutSubtitle(entry.title));
        }
        keys.addAll(fullKeys);
        for (Set<String> one : Arrays.asList(isbns, keys, fullKeys)) {
            one.removeAll(Arrays.asList(null, ""));
        }
        byIsbn = catalog.byIsbn(isbns);
        byTitle = catalog.byTitle(keys);
        byTitleWithoutSubtitle = catalog.byTitleWithoutSubtitle(fullKeys);
    }

    /** By ISBN, else by title and author, else null; the lowest id where several fit. */
    Book match(Entry entry) {
        for (String isbn : entry.isbns) {
            List<Book> books = get(byIsbn, isbn);
            if (!books.isEmpty()) {
                return books.get(0);
            }
        }
        String key = TitleKey.full(entry.title);
        List<Name> authors = namesOf(entry.authors);
        Book book = firstBy(authors, get(byTitle, key));
        if (book != null) {
            return book;
        }
        // Once one of the two, never both, has lost its subtitle.
        List<Book> alike = new ArrayList<>(get(byTitleWithoutSubtitle, key));
        alike.addAll(get(byTitle, TitleKey.withoutSubtitle(entry.title)));
        return firstBy(authors, alike);
    }

    private static List<Book> get(Map<String, List<Book>> books, String key) {
        List<Book> found = books.get(key);
        return found == null ? Collections.<Book>emptyList() : found;
    }

    private Book firstBy(List<Name> authors, List<Book> books) {
        Book first = null;
        for (Book book : books) {
            if ((first == null || book.id < first.id) && book.authors != null
                    && fit(authors, namesOf(book.authors))) {
                first = book;
            }
        }
        return first;
    }

    private static boolean fit(List<Name> some, List<Name> others) {
        for (Name one : some) {
            for (Name other : others) {
                if (one.fits(other)) {
                    return true;
                }
            }
        }
        return false;
    }

    private List<Name> namesOf(String authors) {
        List<Name> known = names.get(authors);
        if (known == null) {
            known = new ArrayList<>();
            String bare = ROLE.matcher(authors).replaceAll(" ");
            for (String one : bare.split("[,;/&|]")) {
                Name name = PlainText.isLong(one) ? null : new Name(one);
                if (name != null && !name.words.isEmpty()) {
                    known.add(name);
                }
            }
            names.put(authors, known);
        }
        return known;
    }

    /** A person's name as its words of more than one letter. */
    private static final class Name {
        final Set<String> words = new HashSet<>();
        String last = "";

        Name(String name) {
            for (String word : Arrays.asList(PlainText.of(name).split(" "))) {
                if (word.codePointCount(0, word.length()) > 1) {
                    words.add(word);
                    last = word;
                }
            }
        }

        boolean fits(Name other) {
            return words.equals(other.words) || last.equals(other.last)
                    && (words.containsAll(other.words) || other.words.containsAll(words));
        }
    }
}
