package io.github.kdtf.books;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.content.Intent;
import android.content.pm.PackageInfo;
import android.content.pm.PackageManager;
import android.widget.TextView;
import io.github.kdtf.books.engine.Book;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;

/** Every screen, clicked through, with real answers of the model. */
@RunWith(RobolectricTestRunner.class)
public class AppTest {
    private JSONObject expected;
    private Phone<MainActivity> phone;

    @Before
    public void launch() throws Exception {
        TestApplication.bundle = null;
        expected = Expected.read();
        phone = Phone.launch();
        assertEquals(LibraryState.Phase.READY, Phone.state().phase);
    }

    @Test
    public void anEmptyShelfIsNoDeadEnd() {
        assertEquals(phone.activity().getString(R.string.tab_shelf), phone.text(R.id.screen_title));
        assertTrue(phone.said().contains(phone.activity().getString(R.string.shelf_empty_title)));
        phone.tap(R.id.tab_for_you);
        assertTrue(phone.said().contains(
                phone.activity().getString(R.string.for_you_empty_shelf)));
        assertFalse("popular books are shown", phone.titles().isEmpty());
    }

    @Test
    public void titlesAndReasonsAreThoseOfPython() throws Exception {
        JSONArray shelves = expected.getJSONArray("shelves");
        for (int i = 0; i < shelves.length(); i++) {
            JSONObject shelf = shelves.getJSONObject(i);
            RuntimeEnvironment.getApplication().deleteDatabase("shelf.db");
            phone.shelveBefore(Expected.texts(shelf.getJSONArray("items")));
            phone.tap(R.id.tab_for_you);
            assertEquals(Expected.texts(shelf.getJSONArray("titles")), phone.titles());
            phone.waitForReasons();
            List<LibraryState.Suggestion> forYou = Phone.state().forYou;
            for (int j = 0; j < forYou.size(); j++) {
                List<String> because = new ArrayList<>();
                for (String item : Expected.texts(
                        shelf.getJSONArray("because").getJSONArray(j))) {
                    because.add(Phone.book(item).name());
                }
                List<String> found = new ArrayList<>();
                for (Book one : forYou.get(j).because) {
                    found.add(one.name());
                }
                assertEquals(because, found);
            }
            TextView first = phone.row(phone.place(phone.titles().get(0)))
                    .findViewById(R.id.title);
            assertEquals(phone.titles().get(0), first.getText().toString());
        }
    }

    @Test
    public void similarBooksAreThoseOfPython() throws Exception {
        JSONObject similar = expected.getJSONObject("similar");
        for (java.util.Iterator<String> items = similar.keys(); items.hasNext(); ) {
            String item = items.next();
            List<String> wanted = new ArrayList<>();
            for (String one : Expected.texts(similar.getJSONArray(item))) {
                wanted.add(Phone.book(one).name());
            }
            Phone<BookActivity> page = bookPage(item);
            assertEquals(wanted,
                    page.titlesAfter(page.activity().getString(R.string.book_similar)));
        }
    }

    @Test
    public void aBookIsFoundWhileTypingAndPutOnTheShelf() {
        Book book = uniqueBook();
        phone.type(book.title.substring(0, book.title.length() - 1));
        assertTrue(phone.titles().contains(book.title));
        assertFalse(phone.text(R.id.status).isEmpty());
        phone.tapAction(book.title);
        assertTrue(Phone.state().hasOnShelf(book.itemId));
        assertEquals(phone.activity().getString(R.string.done_added, book.title),
                phone.text(R.id.undo_text));
        assertEquals(phone.activity().getString(R.string.on_shelf),
                phone.rows().get(phone.place(book.title)).third);
        phone.tap(R.id.search_clear);
        assertEquals(Collections.singletonList(book.title), phone.titles());
        phone.tapAction(book.title);
        assertFalse(Phone.state().hasOnShelf(book.itemId));
        phone.tap(R.id.undo);
        assertEquals(Collections.singletonList(book.title), phone.titles());
        assertFalse(phone.activity().findViewById(R.id.undo_bar).isShown());
    }

    @Test
    public void aBookIsFoundByItsAuthor() {
        Book book = uniqueBook();
        phone.type(book.authors.split(",")[0]);
        assertTrue(phone.titles().contains(book.title));
    }

    @Test
    public void whatNoBookIsCalledIsSaid() {
        phone.type("qqqqzzzz \" OR * NEAR/");
        assertEquals(phone.activity().getString(R.string.search_nothing), phone.text(R.id.status));
    }

    @Test
    public void undoPutsABookBackWhereItStood() {
        List<String> items = someItems(4);
        phone.shelve(items);
        List<String> before = phone.titles();
        phone.tapAction(before.get(2));
        assertEquals(3, phone.titles().size());
        phone.tap(R.id.undo);
        assertEquals(before, phone.titles());
    }

    @Test
    public void aHiddenBookIsNotSuggestedUntilItIsShownAgain() {
        phone.shelve(someItems(3));
        phone.tap(R.id.tab_for_you);
        List<String> before = itemIds();
        String first = phone.titles().get(0);
        phone.tapAction(first);
        assertFalse(itemIds().contains(before.get(0)));
        assertEquals(before.subList(1, before.size()), itemIds());
        phone.tap(R.id.undo);
        assertEquals(before, itemIds());
        phone.tapAction(first);
        phone.tapButton(phone.activity().getString(R.string.show_all));
        assertEquals(before, itemIds());
    }

    @Test
    public void theListFollowsTheShelf() {
        phone.shelve(someItems(3));
        List<String> before = itemIds();
        Book book = Phone.book(before.get(0));
        Phone<BookActivity> page = bookPage(book.itemId);
        page.tapButton(page.activity().getString(R.string.add));
        assertTrue(Phone.state().hasOnShelf(book.itemId));
        assertFalse("a book of the shelf is not recommended", itemIds().contains(book.itemId));
        page.tapButton(page.activity().getString(R.string.remove));
        assertEquals(before, itemIds());
    }

    @Test
    public void aBookOpensFromEveryList() {
        phone.shelve(someItems(2));
        String title = phone.titles().get(0);
        phone.tapBook(title);
        Intent next = shadowOf(phone.activity()).getNextStartedActivity();
        assertEquals(BookActivity.class.getName(), next.getComponent().getClassName());
        Phone<BookActivity> page = Phone.open(BookActivity.class, next);
        assertEquals(title, page.rows().get(0).title);
        page.tapBook(page.titlesAfter(page.activity().getString(R.string.book_similar)).get(0));
        assertNotNull(shadowOf(page.activity()).getNextStartedActivity());
        phone.tap(R.id.tab_for_you);
        phone.tapBook(phone.titles().get(0));
        assertNotNull(shadowOf(phone.activity()).getNextStartedActivity());
    }

    @Test
    public void aPageSaysWhyABookMaySuit() throws Exception {
        JSONObject shelf = expected.getJSONArray("shelves").getJSONObject(3);
        phone.shelve(Expected.texts(shelf.getJSONArray("items")));
        List<String> because = Expected.texts(shelf.getJSONArray("because").getJSONArray(0));
        Phone<BookActivity> page = bookPage(shelf.getJSONArray("recommend").getString(0));
        List<String> reasons = page.titlesAfter(page.activity().getString(R.string.book_why));
        assertEquals(Phone.book(because.get(0)).name(), reasons.get(0));
    }

    @Test
    public void theModelPageSaysWhatTheBundleSays() {
        phone.tap(R.id.tab_about);
        String said = phone.said();
        for (String one : Phone.state().config.metrics.keySet()) {
            assertTrue(one, said.contains(one));
        }
        assertTrue(said.contains(Words.number(Phone.state().config.numItems)));
        assertTrue(said.contains(Phone.state().config.minRuntimeVersion));
        assertTrue(said.contains("2.16.1"));
        phone.tapButton(phone.activity().getString(R.string.about_measure));
        assertTrue(phone.said(), phone.said().matches("(?s).*200.*ms.*ms.*"));
        phone.tapButton(phone.activity().getString(R.string.about_card_show));
        phone.place(phone.activity().getString(R.string.about_card));
    }

    @Test
    public void turningThePhoneLosesNothing() {
        phone.shelve(someItems(3));
        Book book = uniqueBook();
        phone.type(book.title);
        List<String> found = phone.titles();
        String undo = phone.text(R.id.undo_text);
        phone.turn();
        assertEquals(found, phone.titles());
        assertEquals(undo, phone.text(R.id.undo_text));
        phone.tap(R.id.tab_about);
        phone.tapButton(phone.activity().getString(R.string.about_measure));
        phone.tapButton(phone.activity().getString(R.string.about_card_show));
        String said = phone.said();
        phone.turn();
        assertEquals(said, phone.said());
    }

    @Test
    public void aKilledProcessLosesNothing() {
        phone.shelve(someItems(3));
        Book book = uniqueBook();
        phone.tap(R.id.tab_for_you);
        phone.tapAction(phone.titles().get(0));
        List<String> suggested = phone.titles();
        phone.killProcess();
        assertEquals(phone.activity().getString(R.string.tab_for_you),
                phone.text(R.id.screen_title));
        assertEquals(suggested, phone.titles());
        phone.tap(R.id.undo);
        assertEquals(suggested, phone.titles().subList(1, phone.titles().size()));
        phone.tap(R.id.tab_shelf);
        phone.type(book.title);
        List<String> found = phone.titles();
        phone.killProcess();
        assertEquals(book.title, phone.text(R.id.search));
        assertEquals(found, phone.titles());
    }

    @Test
    public void aNewVisitBeginsWithoutUndo() {
        phone.shelve(someItems(2));
        assertTrue(phone.activity().findViewById(R.id.undo_bar).isShown());
        phone.controller.pause().stop().destroy();
        phone = Phone.launch();
        assertFalse(phone.activity().findViewById(R.id.undo_bar).isShown());
        assertEquals(2, phone.titles().size());
    }

    @Test
    public void aBookPageOutlivesItsProcess() {
        Phone<BookActivity> page = bookPage(someItems(1).get(0));
        String said = page.said();
        page.killProcess();
        assertEquals(said, page.said());
        page.turn();
        assertEquals(said, page.said());
    }

    @Test
    public void noPermissionIsAskedFor() throws Exception {
        PackageInfo info = RuntimeEnvironment.getApplication().getPackageManager().getPackageInfo(
                phone.activity().getPackageName(), PackageManager.GET_PERMISSIONS);
        assertTrue(info.requestedPermissions == null || info.requestedPermissions.length == 0);
    }

    @Test
    public void anEmptyPageOfABookThatIsGoneSaysSo() {
        Phone<BookActivity> page = bookPage("no such book");
        assertEquals(page.activity().getString(R.string.book_gone), page.text(R.id.status));
        assertTrue(page.rows().isEmpty());
    }

    private Phone<BookActivity> bookPage(String itemId) {
        return Phone.open(BookActivity.class,
                BookActivity.of(RuntimeEnvironment.getApplication(), itemId));
    }

    private static List<String> itemIds() {
        List<String> ids = new ArrayList<>();
        for (LibraryState.Suggestion one : Phone.state().forYou) {
            ids.add(one.book.itemId);
        }
        return ids;
    }

    /** Item ids of the first books that Python was asked about. */
    private List<String> someItems(int count) {
        try {
            return Expected.texts(expected.getJSONArray("shelves").getJSONObject(4)
                    .getJSONArray("items")).subList(0, count);
        } catch (org.json.JSONException error) {
            throw new AssertionError(error);
        }
    }

    /** A book with authors whose title is no other's. */
    private Book uniqueBook() {
        for (String item : someItems(5)) {
            Book book = Phone.book(item);
            final List<Book> alike = new ArrayList<>();
            final boolean[] reached = {false};
            Phone.library().search(book.name(), 30, books -> {
                alike.addAll(books);
                reached[0] = true;
            });
            Phone.await(reached);
            if (alike.size() == 1 && book.authors != null && !Phone.state().hasOnShelf(item)) {
                return book;
            }
        }
        throw new AssertionError("no book with a title of its own");
    }
}
